"""What the scripts share that the chapter leaves out."""
