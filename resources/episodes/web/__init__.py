"""`miniwob`: small tasks on web pages, seen as pictures and worked by mouse and keyboard in a real browser."""
