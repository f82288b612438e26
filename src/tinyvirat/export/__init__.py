"""The recogniser as one file for other engines: ONNX, OpenVINO, `torch.export`.

`run` is the way in; `fold` puts the preprocessing into arithmetic that every engine does exactly,
`program` traces the whole, and there is a module for what is special about ONNX.
"""
