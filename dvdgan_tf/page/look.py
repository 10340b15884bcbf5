"""Colours and shapes of the page, which keep WCAG 2.2's contrast, level AA."""

import gradio as gr

CSS = """
.clips {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(140px, 1fr));
    gap: 12px;
}
.clips figure { margin: 0; max-width: 384px; }
.clips img {
    width: 100%;
    margin: 0;
    border-radius: 4px;
    background: black;
    image-rendering: pixelated;
}
.clips figcaption {
    font-size: 14px;
    text-align: center;
    overflow-wrap: anywhere;
}
.refused {
    padding: 8px 12px;
    border-left: 4px solid #dc2626;
    background: #dc26261a;
}
/* These take the pale colour of blocks, though one types or drops there. */
#video, #classes .wrap, .controls input[type=number], .controls .reset-button,
.controls .wrap:has(> .icon-wrap) {
    border-color: var(--input-border-color) !important;
}
/* The colours of code are too pale on white. */
#recipe .cm-line span { color: inherit !important; }
/* At its lowest value a slider is nothing but its thumb. */
.controls input[type=range]::-webkit-slider-thumb {
    border: 3px solid var(--slider-color);
}
.controls input[type=range]::-moz-range-thumb {
    border: 3px solid var(--slider-color);
}
"""


def theme() -> gr.themes.Base:
    """Makes the theme: gradio's own, with colours that everybody can see.

    Its fonts are those of the system: others may come from elsewhere.
    """
    return gr.themes.Default(
        primary_hue="blue",
        secondary_hue="blue",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        # Words: at least 4.5 to 1.
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_title_text_color="*neutral_800",
        block_label_text_color="*neutral_700",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        # Edges of what one clicks or types into: at least 3 to 1.
        input_border_color="*neutral_500",
        input_border_color_dark="*neutral_400",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_400",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        checkbox_border_color_hover="*neutral_600",
        checkbox_border_color_hover_dark="*neutral_300",
        checkbox_background_color_selected_dark="*primary_500",
        checkbox_border_color_selected_dark="*primary_500",
        button_border_width="1px",
        button_secondary_border_color="*neutral_500",
        button_secondary_border_color_dark="*neutral_400",
        color_accent="*primary_600",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
    )
