"""Model cards, made from records alone: Hugging Face Markdown and a self-contained page."""
