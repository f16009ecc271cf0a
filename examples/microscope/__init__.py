"""The convolution microscope: one page on which a convolution can be touched, forward and backward.

``python -m examples.microscope`` writes the page: one file, which opens from the disk and needs
nothing else. `export` asks the engine for all numbers that the page is held against, `page` puts
them and the files of the folder ``page/`` together. The page computes by itself, in
``page/arithmetic.js``, so that its numbers can be edited; when it opens, it checks that against
what the engine gave, and says so.
"""
