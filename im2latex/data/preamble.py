r"""The two LaTeX preambles: PLAIN gives the official look; AMS adds amsmath for formulas that need it.

The official pictures were made without amsmath, which scales the big operators at 12 pt and changes `\big`.
So PLAIN defines the few amsmath commands that are common by itself, and AMS takes back what amsmath changed.
"""

PAGES = r"""
\newlinechar=`\^^J \nofiles
\hfuzz=\maxdimen \hbadness=10000 \vbadness=10000
\hoffset=-1in \voffset=-1in
\newdimen\onepixel \newcount\formulanumber \newcount\pixels
\newbox\formulabox \newdimen\naturalwidth
\def\paper{20pt} % around the formula's box: ink may leave the box by so much
\def\beginformula#1{%
  \formulanumber=#1 \message{^^Jim2latex-formula #1^^J}%
  \global\naturalwidth=0pt
  \setbox\formulabox\vbox\bgroup
    \abovedisplayskip=0pt \belowdisplayskip=0pt
    \abovedisplayshortskip=0pt \belowdisplayshortskip=0pt
    \topskip=0pt \parindent=0pt \lineskip=0pt
    \opendisplay}
\outer\def\endformula{%
    \closedisplay \par
    \unskip\unpenalty \setbox0=\lastbox
    \ifvoid0 \else \setbox1=\hbox{\unhcopy0}\global\naturalwidth=\wd1 \box0 \fi
  \egroup
  \ifnum\currentgrouplevel=0 \ifvmode \shipformula \else \endrun \fi \else \endrun \fi}
% A formula that left a group open would harm its neighbours: end the run at once, here by an error that is fatal.
\def\endrun{\read-1 to\nothing}
\def\topixels#1#2{\pixels=\numexpr\dimexpr#2+\paper+\paper\relax/\onepixel+1\relax #1=\pixels\onepixel}
\def\shipformula{%
  \ifdim\naturalwidth<\hsize \naturalwidth=\hsize \fi
  \topixels\pdfpagewidth{\naturalwidth}
  \topixels\pdfpageheight{\ht\formulabox+\dp\formulabox}
  \shipout\vbox{%
    \pdfdest name{\the\formulanumber} fit
    \kern\paper \moveright\paper\box\formulabox}}
"""

# What amsfonts and amsmath change of the standard look, put back. (`\hbar` and `\big` as in the LaTeX kernel.)
_STANDARD_LOOK = r"""
\DeclareFontShape{OMX}{cmex}{m}{n}{<->sfixed*cmex10}{} % no scaled big operators
\makeatletter
\def\hbar{{\mathchar'26\mkern-9muh}}
\let\widehat\kernelwidehat \let\widetilde\kernelwidetilde
\def\big#1{{\hbox{$\left#1\vbox to8.5\p@{}\right.\n@space$}}}
\def\Big#1{{\hbox{$\left#1\vbox to11.5\p@{}\right.\n@space$}}}
\def\bigg#1{{\hbox{$\left#1\vbox to14.5\p@{}\right.\n@space$}}}
\def\Bigg#1{{\hbox{$\left#1\vbox to17.5\p@{}\right.\n@space$}}}
\makeatother
"""

_KEEP = r"""
\let\kernelwidehat\widehat \let\kernelwidetilde\widetilde
"""

# The commonest amsmath commands, in the terms of the kernel.
_COMMANDS = r"""
\makeatletter
\def\operatorname{\@ifstar{\operator@withlimits}{\operator@nolimits}}
\def\operator@withlimits#1{\mathop{\operator@font #1}}
\def\operator@nolimits#1{\mathop{\operator@font #1}\nolimits}
\def\dfrac#1#2{{\displaystyle\frac{#1}{#2}}}
\def\tfrac#1#2{{\textstyle\frac{#1}{#2}}}
\def\binom#1#2{{{#1}\choose{#2}}}
\def\lvert{\mathopen|} \def\rvert{\mathclose|}
\def\lVert{\mathopen\|} \def\rVert{\mathclose\|}
\makeatother
"""

PLAIN = _KEEP + r"\usepackage{amstext,amsbsy,amssymb}" + _STANDARD_LOOK + _COMMANDS + PAGES
AMS = _KEEP + r"\usepackage{amsmath,amssymb}" + _STANDARD_LOOK + PAGES
