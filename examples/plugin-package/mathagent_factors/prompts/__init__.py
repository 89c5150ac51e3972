"""The package's prompts, as mathagent_factors.prompts:NAME."""
