"""What stands between a socket and a route: who may call from where, how, how much and how long.

``screen`` looks at the head of each request (its ``hosts``, ``origins`` and the type of its body),
``bodies`` reads and unpacks what follows, ``replies`` holds what every reply carries.
"""
