; A method names its type in its signature, so types own nothing here.
(function_declaration) @function
(method_declaration) @function
(type_declaration [(type_spec) (type_alias)] @type)
(source_file (const_declaration (const_spec) @constant))
(source_file (var_declaration (var_spec) @constant))
(source_file (var_declaration (var_spec_list (var_spec) @constant)))
