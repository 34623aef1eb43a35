; A constant is what a module assigns by its plain name.
(class_definition) @type
(function_definition) @function
(module (expression_statement (assignment left: (identifier)) @constant))
