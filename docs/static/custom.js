// Boxes that scroll sideways can be reached and scrolled with the keyboard.
function focusable() {
  document.querySelectorAll('pre, .cell_output, .math, .table-wrapper').forEach(box => {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0
  })
}
addEventListener('load', focusable)
addEventListener('resize', focusable)
