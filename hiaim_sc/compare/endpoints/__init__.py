"""One number per patient, tissue and visit, without the arm."""

from hiaim_sc.compare.endpoints.catalogue import CHANGES, WITH_BLOOD, WITH_TUMOUR
from hiaim_sc.compare.endpoints.pmhc import Screen
from hiaim_sc.compare.endpoints.table import measure_endpoints
from hiaim_sc.compare.endpoints.variants import measure_variants

__all__ = [
    "CHANGES",
    "WITH_BLOOD",
    "WITH_TUMOUR",
    "Screen",
    "measure_endpoints",
    "measure_variants",
]
