"""From an exported module to what model hubs take."""
