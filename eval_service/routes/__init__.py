"""The routes by what they do: evaluation, reading, uploading."""
