"""Every format made from the network and checked against it: ONNX, INT8, TorchScript, torch.export."""
