"""Inference servers that cells share: started, leased and stopped here.

Nothing yet: models answer in process (`transformers`), over HTTP (`openai`) or from a file
(`recorded`).
"""
