; TypeScript reads this, too, with more of its own. A constant that is a function is a function: its pattern stands first.
(class_declaration) @type
(function_declaration) @function
(generator_function_declaration) @function
(method_definition) @function
(program (lexical_declaration (variable_declarator name: (identifier) value: [(arrow_function) (function_expression)]) @function))
(program (lexical_declaration (variable_declarator name: (identifier)) @constant))
(program (variable_declaration (variable_declarator name: (identifier)) @constant))
(program (export_statement declaration: (lexical_declaration
  (variable_declarator name: (identifier) value: [(arrow_function) (function_expression)]) @function)))
(program (export_statement declaration: (lexical_declaration (variable_declarator name: (identifier)) @constant)))
(program (expression_statement (assignment_expression
  left: (member_expression property: (property_identifier)) right: [(arrow_function) (function_expression)]) @function))
