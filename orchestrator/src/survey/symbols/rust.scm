; What others can name. Of nested items only those of types count; what `@hidden` holds nobody else sees.
(mod_item name: (identifier) @_name body: (_) (#any-of? @_name "tests" "test")) @hidden
(impl_item) @owner
(struct_item) @type
(enum_item) @type
(union_item) @type
(trait_item) @type
(type_item) @type
(const_item) @constant
(static_item) @constant
(macro_definition) @macro
(function_item) @function
(function_signature_item) @function
