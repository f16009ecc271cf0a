"""The properties that the exercises of the lessons are held against, one file for each lesson."""
