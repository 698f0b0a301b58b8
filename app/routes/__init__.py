"""One module per resource: unpack the request, call one function of the engine, map back."""
