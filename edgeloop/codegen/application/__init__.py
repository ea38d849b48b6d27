"""What an application needs around generated code: the names of the classes, the way from a frame to the input, an example."""
