; A constructor is called like its class, which stands for it.
(class_declaration) @type
(interface_declaration) @type
(enum_declaration) @type
(record_declaration) @type
(annotation_type_declaration) @type
(method_declaration) @function
(field_declaration (modifiers "static")) @constant
