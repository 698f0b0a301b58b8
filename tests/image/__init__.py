"""The image, made and tried without a container engine: see ``tests.image.__main__``."""
