"""What watches a server: series, rules and dashboards, against a real server and Prometheus."""
