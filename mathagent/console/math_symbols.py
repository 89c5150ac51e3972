"""What single LaTeX commands are in Unicode: the tables of math_text.py."""

from __future__ import annotations

_TABLE = """
alpha α  beta β  gamma γ  delta δ  epsilon ε  zeta ζ  eta η  theta θ  iota ι  kappa κ  lambda λ  mu μ
nu ν  xi ξ  pi π  rho ρ  sigma σ  tau τ  upsilon υ  phi φ  chi χ  psi ψ  omega ω  Gamma Γ  Delta Δ
Theta Θ  Lambda Λ  Xi Ξ  Pi Π  Sigma Σ  Phi Φ  Psi Ψ  Omega Ω  varepsilon ε  vartheta ϑ  varphi φ
times ×  div ÷  cdot ·  pm ±  mp ∓  ast *  le ≤  leq ≤  ge ≥  geq ≥  ne ≠  neq ≠  approx ≈  equiv ≡
leqslant ≤  geqslant ≥  ll ≪  gg ≫  simeq ≃  sim ∼  cong ≅  propto ∝  infty ∞  partial ∂  nabla ∇  sum ∑
prod ∏  int ∫  iint ∬  iiint ∭  oint ∮  forall ∀  exists ∃  nexists ∄  emptyset ∅  varnothing ∅  in ∈
notin ∉  ni ∋  subset ⊂  subseteq ⊆  supset ⊃  supseteq ⊇  subsetneq ⊊  cup ∪  cap ∩  setminus ∖
to →  rightarrow →  longrightarrow ⟶  Rightarrow ⇒  Longrightarrow ⟹  implies ⇒  iff ⇔  Leftrightarrow ⇔
leftrightarrow ↔  leftarrow ←  Leftarrow ⇐  gets ←  mapsto ↦  uparrow ↑  downarrow ↓  land ∧  wedge ∧
lor ∨  vee ∨  neg ¬  lnot ¬  oplus ⊕  otimes ⊗  perp ⊥  angle ∠  triangle △  circ °  degree °  ldots …
dots …  cdots …  dotsc …  dotsb …  vdots ⋮  ddots ⋱  mid |  nmid ∤  parallel ∥  lfloor ⌊  rfloor ⌋
lceil ⌈  rceil ⌉  langle ⟨  rangle ⟩  lvert |  rvert |  vert |  lVert ‖  rVert ‖  Vert ‖  bullet •  star ⋆
ell ℓ  hbar ℏ  Re ℜ  Im ℑ  aleph ℵ  prime ′  square □  blacksquare ■  checkmark ✓  therefore ∴  because ∵
lbrace {  rbrace }  colon :
"""
_WORDS = _TABLE.split()
SYMBOLS = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
SYMBOLS |= {"quad": "  ", "qquad": "    ", "pmod": "mod ", "bmod": " mod ", "mod": " mod "}
SYMBOLS |= dict.fromkeys(
    (
        "left",
        "right",
        "middle",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "limits",
        "nolimits",
    ),
    "",
)
SYMBOLS |= dict.fromkeys(("displaystyle", "textstyle", "scriptstyle", "rm", "bf", "it", "hline", "nonumber"), "")
ESCAPED = {",": " ", ";": " ", ":": " ", "!": "", " ": " ", "$": "$", "%": "%", "&": "&", "#": "#", "_": "_"}
ESCAPED |= {"{": "{", "}": "}", "\\": "\n", "(": "", ")": "", "[": "", "]": "", "|": "‖"}
NEGATED = {
    "=": "≠",
    "∈": "∉",
    "≡": "≢",
    "<": "≮",
    ">": "≯",
    "≤": "≰",
    "≥": "≱",
    "⊂": "⊄",
    "⊆": "⊈",
    "∼": "≁",
    "|": "∤",
}
NAMED_SETS = {"R": "ℝ", "N": "ℕ", "Z": "ℤ", "Q": "ℚ", "C": "ℂ", "P": "ℙ", "F": "𝔽"}
WRAPPERS = frozenset(("text", "textbf", "textit", "textrm", "mathrm", "mathbf", "mathit", "mathsf", "mathcal"))
WRAPPERS |= {"mathfrak", "operatorname", "boldsymbol", "boxed", "fbox", "mbox", "hbox", "underbrace", "overbrace"}
WRAPPERS |= {"mathrel", "mathbin"}
"""Commands whose argument stands for itself."""
UNSEEN = frozenset(("hspace", "vspace", "phantom", "hphantom", "vphantom", "label", "color"))
"""Commands of which nothing is seen, nor of their argument."""
ACCENTS = {"overline": "\u0305", "bar": "\u0304", "vec": "\u20d7", "hat": "\u0302", "widehat": "\u0302"}
ACCENTS |= {
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "dot": "\u0307",
    "ddot": "\u0308",
    "overrightarrow": "\u20d7",
}
MATRIX_BRACKETS = {
    "matrix": "[]",
    "pmatrix": "()",
    "bmatrix": "[]",
    "vmatrix": "||",
    "Bmatrix": "{}",
    "Vmatrix": "‖‖",
}
MATRIX_BRACKETS |= {"smallmatrix": "[]"}
SUPERSCRIPT = str.maketrans(
    "0123456789+-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUW",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁᵂ",
)
SUBSCRIPT = str.maketrans("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
