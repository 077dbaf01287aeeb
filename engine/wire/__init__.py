"""The only place that speaks HTTP outward: one seam, who stands at it, what may be dialled."""
