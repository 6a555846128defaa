r"""The LaTeX around the formulas: two preambles, and the macros that put each formula on a page of its own.

The official pictures were made without amsmath, which scales the big operators at 12 pt and changes `\big`.
So PLAIN defines the commonest amsmath commands itself; AMS has all of amsmath, for formulas that need more,
with the look put back.
"""

_KEEP = r"""
\let\kernelwidehat\widehat \let\kernelwidetilde\widetilde
\let\kernelmatrix\matrix \let\kernelpmatrix\pmatrix \let\kernelcases\cases
"""

_FONTS = r"""
\usepackage{amssymb}
\IfFileExists{mathrsfs.sty}{\usepackage{mathrsfs}}{}
"""

# What amsfonts and amsmath change of the standard look, put back as the LaTeX kernel has it.
_STANDARD_LOOK = r"""
\DeclareFontShape{OMX}{cmex}{m}{n}{<->sfixed*cmex10}{} % one size of big operators
\makeatletter
\def\hbar{{\mathchar'26\mkern-9muh}}
\let\widehat\kernelwidehat \let\widetilde\kernelwidetilde
\def\big#1{{\hbox{$\left#1\vbox to8.5\p@{}\right.\n@space$}}}
\def\Big#1{{\hbox{$\left#1\vbox to11.5\p@{}\right.\n@space$}}}
\def\bigg#1{{\hbox{$\left#1\vbox to14.5\p@{}\right.\n@space$}}}
\def\Bigg#1{{\hbox{$\left#1\vbox to17.5\p@{}\right.\n@space$}}}
\makeatother
"""

# The commonest commands of amsmath, in the terms of the kernel.
_COMMANDS = r"""
\usepackage{amstext,amsbsy}
\makeatletter
\def\operatorname{\@ifstar{\operator@withlimits}{\operator@nolimits}}
\def\operator@withlimits#1{\mathop{\operator@font #1}}
\def\operator@nolimits#1{\mathop{\operator@font #1}\nolimits}
\def\dfrac#1#2{{\displaystyle\frac{#1}{#2}}}
\def\tfrac#1#2{{\textstyle\frac{#1}{#2}}}
\def\binom#1#2{{{#1}\choose{#2}}}
\DeclareMathDelimiter{\lvert}{\mathopen}{symbols}{"6A}{largesymbols}{"0C}
\DeclareMathDelimiter{\rvert}{\mathclose}{symbols}{"6A}{largesymbols}{"0C}
\DeclareMathDelimiter{\lVert}{\mathopen}{symbols}{"6B}{largesymbols}{"0D}
\DeclareMathDelimiter{\rVert}{\mathclose}{symbols}{"6B}{largesymbols}{"0D}
\makeatother
"""

# Every matrix in the official pictures is a `\matrix{.. \cr}` of plain TeX, which keeps its meaning here: so that
# is the look of the environments too. The environment cases is that of amsmath.
_MATRICES = r"""
\makeatletter
\def\openmatrix{\null\,\vcenter\bgroup\normalbaselines\m@th\let\\\matrixcr
  \ialign\bgroup\hfil$##$\hfil&&\quad\hfil$##$\hfil\crcr
    \mathstrut\crcr\noalign{\kern-\baselineskip}}
\def\closematrix{\crcr\mathstrut\crcr\noalign{\kern-\baselineskip}\egroup\egroup\,}
\def\matrixcr{{\ifnum0=`}\fi\@ifstar\matrixcr@\matrixcr@}
\def\matrixcr@{\@ifnextchar[\matrixcr@skip{\ifnum0=`{\fi}\cr}}
\def\matrixcr@skip[#1]{\ifnum0=`{\fi}\cr\noalign{\vskip#1}}
\def\opencases{\left\lbrace\def\arraystretch{1.2}\array{@{}l@{\quad}l@{}}}
\def\either#1{\def\@tempa{#1}%
  \ifx\@tempa\@currenvir \expandafter\@firstoftwo \else \expandafter\@secondoftwo \fi}
\def\matrix{\either{matrix}\openmatrix\kernelmatrix}
\def\pmatrix{\either{pmatrix}{\left(\openmatrix}\kernelpmatrix}
\def\cases{\either{cases}\opencases\kernelcases}
\def\bmatrix{\left[\openmatrix}
\def\Bmatrix{\left\lbrace\openmatrix}
\def\vmatrix{\left\vert\openmatrix}
\def\Vmatrix{\left\Vert\openmatrix}
\def\endmatrix{\closematrix}
\def\endpmatrix{\closematrix\right)}
\def\endbmatrix{\closematrix\right]}
\def\endBmatrix{\closematrix\right\rbrace}
\def\endvmatrix{\closematrix\right\vert}
\def\endVmatrix{\closematrix\right\Vert}
\def\endcases{\endarray\right.}
\makeatother
"""

_PAGES = r"""
\newlinechar=`\^^J \nofiles
\hfuzz=\maxdimen \hbadness=10000 \vbadness=10000
\hoffset=-1in \voffset=-1in
\newcount\formulanumber \newcount\pixels \newbox\formulabox
\newdimen\onepixel \newdimen\naturalwidth \newdimen\paper
\def\beginformula#1{%
  \formulanumber=#1 \message{^^Jim2latex-formula #1^^J}%
  \global\naturalwidth=0pt
  \setbox\formulabox\vbox\bgroup
    \abovedisplayskip=0pt \belowdisplayskip=0pt
    \abovedisplayshortskip=0pt \belowdisplayshortskip=0pt
    \topskip=0pt \parindent=0pt
    \opendisplay}
% Outer: TeX refuses to take \endformula into an argument that a formula left open.
\outer\def\endformula{%
    \closedisplay \par
    \unskip\unpenalty \setbox0=\lastbox % a display that does not fit sticks out of its box: measure it
    \ifvoid0 \else \setbox1=\hbox{\unhcopy0}\global\naturalwidth=\wd1 \box0 \fi
  \egroup
  \ifnum\currentgrouplevel=0 \ifvmode \shipformula \else \endrun \fi \else \endrun \fi}
% A formula that left a group open would harm its neighbours. Only a fatal error ends the run at once.
\def\endrun{\read-1 to\nothing}
\def\shipformula{%
  \ifdim\naturalwidth<\hsize \naturalwidth=\hsize \fi
  \topixels\pdfpagewidth{\naturalwidth}%
  \topixels\pdfpageheight{\ht\formulabox+\dp\formulabox}%
  \shipout\vbox{%
    \pdfdest name{\the\formulanumber} fit % the mark by which the page is found again
    \kern\paper \moveright\paper\box\formulabox}}
\def\topixels#1#2{\pixels=\numexpr\dimexpr#2+\paper+\paper\relax/\onepixel+1\relax #1=\pixels\onepixel}
"""

PLAIN = "\n".join([_KEEP, _FONTS, _STANDARD_LOOK, _COMMANDS, _MATRICES, _PAGES])
AMS = "\n".join([_KEEP, r"\usepackage{amsmath}", _FONTS, _STANDARD_LOOK, _MATRICES, _PAGES])
