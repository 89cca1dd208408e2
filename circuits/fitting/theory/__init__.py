"""What is known of descent and of what it finds: the results that lessons show and fits are checked against."""
