"""The kit's local object store: buckets in a folder behind HTTP, with multipart uploads and signed
requests.
"""
