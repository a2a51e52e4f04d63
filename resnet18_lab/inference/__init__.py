"""From input to answer: engines behind one protocol, the artifacts they run, class names, predictions, accuracy."""
