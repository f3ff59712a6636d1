"""The only Python that imports streamlit."""
