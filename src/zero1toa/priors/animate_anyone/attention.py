"""Attention, feed-forward and the spatial transformer of Stable Diffusion 1.5, with a bank of reference tokens."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention.

    Args:
        width: channels of queries and result.
        heads: how many.
        head_width: channels of each.
        context: channels of keys and values, if not those of the queries.
    """

    def __init__(self, width: int, heads: int, head_width: int, context: int | None = None) -> None:
        super().__init__()
        inner = heads * head_width
        self.heads = heads
        self.rows: int | None = None
        """Rows of the batch that are attended at a time; None is all. Fewer need less memory."""
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(context or width, inner, bias=False)
        self.to_v = nn.Linear(context or width, inner, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(inner, width)])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, L, width) from x (B, L, width) and context (B, M, context), by default x itself."""
        context = x if context is None else context
        q, k, v = (self._split(part) for part in (self.to_q(x), self.to_k(context), self.to_v(context)))
        if self.rows is None or len(q) <= self.rows:
            mixed = F.scaled_dot_product_attention(q, k, v)
        else:
            parts = zip(q.split(self.rows), k.split(self.rows), v.split(self.rows))
            mixed = torch.cat([F.scaled_dot_product_attention(*part) for part in parts])
        return self.to_out[0](mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class GatedGelu(nn.Module):
    """Linear layer whose one half gates the other."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, -1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """Four times wider, gated, and back. Place 1 of `net` was a dropout and has no weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.ModuleList([GatedGelu(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x: Tensor) -> Tensor:
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention where there is a context, feed-forward; each after a LayerNorm, with a residual.

    Args:
        width: channels of a token.
        heads: of both attentions.
        head_width: channels of a head.
        context: width of the tokens of the cross-attention; None leaves it out.
        whole: False keeps the first normalisation alone: a block that is only read, never run to its end.
    """

    def __init__(self, width: int, heads: int, head_width: int, context: int | None, whole: bool = True) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn2: Attention | None = None
        if not whole:
            return
        self.attn1 = Attention(width, heads, head_width)
        if context is not None:
            self.norm2 = nn.LayerNorm(width)
            self.attn2 = Attention(width, heads, head_width, context)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width)

    def forward(
        self, x: Tensor, context: Tensor | None, bank: Tensor | None = None, with_bank: slice = slice(None)
    ) -> Tensor:
        """(B, L, width).

        Args:
            x: (B, L, width).
            context: (B, M, context) for the cross-attention.
            bank: (R, K, width) tokens of R references, each for as many rows that see it; self-attention reads them
                beside its own. They are keys and values only, through the same weights.
            with_bank: rows of the batch that see the bank; the others, the unconditional half, attend plainly.
        """
        normed = self.norm1(x)
        if bank is None:
            attended = self.attn1(normed)
        else:
            first, last, _ = with_bank.indices(len(x))
            seeing = normed[first:last]
            bank = bank.to(seeing.dtype)
            each = bank.expand(len(seeing), -1, -1) if len(bank) == 1 else _spread(bank, len(seeing))
            both = torch.cat([seeing, each], 1)
            parts = [self.attn1(seeing, both)]
            if first > 0:
                parts.insert(0, self.attn1(normed[:first]))
            if last < len(x):
                parts.append(self.attn1(normed[last:]))
            attended = torch.cat(parts)
        x = x + attended
        if self.attn2 is not None:
            x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


def _spread(bank: Tensor, rows: int) -> Tensor:
    return bank.repeat_interleave(rows // len(bank), 0)


class SpatialTransformer(nn.Module):
    """A transformer block on the pixels of each picture, between 1 x 1 convolutions, with a residual."""

    def __init__(
        self, channels: int, heads: int, head_width: int, context: int | None = None, whole: bool = True
    ) -> None:
        super().__init__()
        inner = heads * head_width
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, inner, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(inner, heads, head_width, context, whole)])
        self.proj_out = nn.Conv2d(inner, channels, 1)

    def tokens(self, x: Tensor) -> Tensor:
        """(B, H W, inner) what the transformer block reads of pictures (B, C, H, W)."""
        return self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)

    def reference_tokens(self, x: Tensor) -> Tensor:
        """(B, H W, inner) what a reference bank keeps: the input of self-attention."""
        block = cast(TransformerBlock, self.transformer_blocks[0])
        return block.norm1(self.tokens(x))

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        bank: Tensor | None = None,
        with_bank: slice = slice(None),
    ) -> Tensor:
        """(B, C, H, W); the other arguments as for `TransformerBlock`."""
        tokens = self.transformer_blocks[0](self.tokens(x), context, bank, with_bank)
        return x + self.proj_out(tokens.transpose(1, 2).unflatten(2, x.shape[-2:]).contiguous())
