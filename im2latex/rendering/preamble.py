r"""The LaTeX around the formulas: two preambles, and the macros that put each formula on a page of its own.

The official pictures were made without amsmath, which scales the big operators at 12 pt and changes `\big`.
So PLAIN defines the commonest amsmath commands itself; AMS has all of amsmath, for formulas that need more,
with the look put back. All is read with `@` as a letter, so that no formula can name what is defined here.
"""

_KEEP = r"""
\let\kernel@widehat\widehat \let\kernel@widetilde\widetilde
\let\kernel@matrix\matrix \let\kernel@pmatrix\pmatrix \let\kernel@cases\cases
"""

_PACKAGES = r"""
\usepackage{amstext,amsbsy,amssymb}
\IfFileExists{mathrsfs.sty}{\usepackage{mathrsfs}}{}
"""

# What amsfonts and amsmath change of the standard look, put back as the LaTeX kernel has it.
_STANDARD_LOOK = r"""
\DeclareFontShape{OMX}{cmex}{m}{n}{<->sfixed*cmex10}{} % one size of big operators
\def\nfss@text#1{{\mbox{#1}}} % \textrm in a subscript has the size of text
\def\hbar{{\mathchar'26\mkern-9muh}}
\let\widehat\kernel@widehat \let\widetilde\kernel@widetilde
\def\big#1{{\hbox{$\left#1\vbox to8.5\p@{}\right.\n@space$}}}
\def\Big#1{{\hbox{$\left#1\vbox to11.5\p@{}\right.\n@space$}}}
\def\bigg#1{{\hbox{$\left#1\vbox to14.5\p@{}\right.\n@space$}}}
\def\Bigg#1{{\hbox{$\left#1\vbox to17.5\p@{}\right.\n@space$}}}
"""

# The commonest commands of amsmath, in the terms of the kernel.
_COMMANDS = r"""
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
"""

# Every matrix in the official pictures is a `\matrix{.. \cr}` of plain TeX, which keeps its meaning here: so that
# is the look of the environments too. The environment cases is that of amsmath.
_MATRICES = r"""
\def\math@openmatrix{\null\,\vcenter\bgroup\normalbaselines\m@th\let\\\math@matrixcr
  \ialign\bgroup\hfil$##$\hfil&&\quad\hfil$##$\hfil\crcr
    \mathstrut\crcr\noalign{\kern-\baselineskip}}
\def\math@closematrix{\crcr\mathstrut\crcr\noalign{\kern-\baselineskip}\egroup\egroup\,}
\def\math@matrixcr{{\ifnum0=`}\fi\@ifstar\math@matrixcr@\math@matrixcr@}
\def\math@matrixcr@{\@ifnextchar[\math@matrixcr@skip{\ifnum0=`{\fi}\cr}}
\def\math@matrixcr@skip[#1]{\ifnum0=`{\fi}\cr\noalign{\vskip#1}}
\def\math@opencases{\left\lbrace\def\arraystretch{1.2}\array{@{}l@{\quad}l@{}}}
\def\math@either#1{\def\@tempa{#1}%
  \ifx\@tempa\@currenvir \expandafter\@firstoftwo \else \expandafter\@secondoftwo \fi}
\def\matrix{\math@either{matrix}\math@openmatrix\kernel@matrix}
\def\pmatrix{\math@either{pmatrix}{\left(\math@openmatrix}\kernel@pmatrix}
\def\cases{\math@either{cases}\math@opencases\kernel@cases}
\def\bmatrix{\left[\math@openmatrix}
\def\Bmatrix{\left\lbrace\math@openmatrix}
\def\vmatrix{\left\vert\math@openmatrix}
\def\Vmatrix{\left\Vert\math@openmatrix}
\def\endmatrix{\math@closematrix}
\def\endpmatrix{\math@closematrix\right)}
\def\endbmatrix{\math@closematrix\right]}
\def\endBmatrix{\math@closematrix\right\rbrace}
\def\endvmatrix{\math@closematrix\right\vert}
\def\endVmatrix{\math@closematrix\right\Vert}
\def\endcases{\endarray\right.}
"""

_PAGES = r"""
\newlinechar=`\^^J \nofiles
\hfuzz=\maxdimen \hbadness=10000 \vbadness=10000
\hoffset=-1in \voffset=-1in
\newcount\page@number \newcount\page@pixels \newbox\page@box
\newdimen\page@pixel \newdimen\page@width \newdimen\page@paper
\def\beginformula#1{%
  \page@number=#1 \message{^^Jim2latex-formula #1^^J}%
  \global\page@width=0pt
  \setbox\page@box\vbox\bgroup
    \abovedisplayskip=0pt \belowdisplayskip=0pt
    \abovedisplayshortskip=0pt \belowdisplayshortskip=0pt
    \topskip=0pt \parindent=0pt
    \page@open}
% Outer: TeX refuses to take \endformula into an argument that a formula left open.
\outer\def\endformula{%
    \page@close \par
    \unskip\unpenalty \setbox0=\lastbox % a display that does not fit sticks out of its box: measure it
    \ifvoid0 \else \setbox1=\hbox{\unhcopy0}\global\page@width=\wd1 \box0 \fi
  \egroup
  \ifnum\currentgrouplevel=0 \ifvmode \page@ship \else \page@end \fi \else \page@end \fi}
% A formula that left a group open would harm its neighbours. Only a fatal error ends the run at once.
\def\page@end{\read-1 to\page@nothing}
\def\page@ship{%
  \ifdim\page@width<\hsize \page@width=\hsize \fi
  \page@topixels\pdfpagewidth{\page@width}%
  \page@topixels\pdfpageheight{\ht\page@box+\dp\page@box}%
  \shipout\vbox{%
    \pdfdest name{\the\page@number} fit % the mark by which the page is found again
    \kern\page@paper \moveright\page@paper\box\page@box}}
\def\page@topixels#1#2{%
  \page@pixels=\numexpr\dimexpr#2+\page@paper+\page@paper\relax/\page@pixel+1\relax
  #1=\page@pixels\page@pixel}
"""

PLAIN = "".join([_KEEP, _PACKAGES, _STANDARD_LOOK, _COMMANDS, _MATRICES, _PAGES])
AMS = "".join([_KEEP, r"\usepackage{amsmath}", _PACKAGES, _STANDARD_LOOK, _MATRICES, _PAGES])
