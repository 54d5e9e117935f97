"""Avatars as files, and pictures of them."""

from zero1toa.avatar_io.data import AvatarData as AvatarData
from zero1toa.avatar_io.glb import load_glb as load_glb
from zero1toa.avatar_io.glb import save_glb as save_glb
from zero1toa.avatar_io.neighbours import glb_content as glb_content
from zero1toa.avatar_io.neighbours import load_any as load_any
