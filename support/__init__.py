"""What the scripts share and the chapter leaves out."""
