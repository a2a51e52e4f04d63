"""The arithmetic of INT8: calibration pictures, ranges, rounding layer by layer, the quantize-dequantize graph."""
