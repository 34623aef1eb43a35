(abstract_class_declaration) @type
(interface_declaration) @type
(type_alias_declaration) @type
(enum_declaration) @type
(function_signature) @function
(method_signature) @function
(abstract_method_signature) @function
