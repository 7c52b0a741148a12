"""From probabilities to decisions: temperature, threshold and label sets, each fitted on cases it is not judged by."""
