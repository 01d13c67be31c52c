"""The demonstration: three kinds of real data, each separated into its normal part and its outliers."""

from robustae.lab.demo.run import Demo, run_demo

__all__ = ["Demo", "run_demo"]
