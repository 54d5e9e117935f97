"""symgen"""
