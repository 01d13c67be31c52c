"""Tables of the ADBench benchmark, which are public files with a known SHA-256."""

import hashlib
import re
from pathlib import Path

import numpy as np

from robustae.datasets.kinds import Dataset
from robustae.datasets.places import PathLike, cache, find, where
from robustae.utils.checks import InputError, NotFound, one_of
from robustae.utils.files import write_bytes

_URL = "https://raw.githubusercontent.com/Minqi824/ADBench/3dac8221081e190f157d78e93bfa8867f90d0965/adbench/datasets/"
SHA256 = {
    "Classical/11_donors": "5824ec854465f2763b4bfe3da1ae9f25ed5433b5c6e265d42e37da4f82a58679",
    "Classical/14_glass": "aa7a8db1d475ba01a10488af454bc15220a3d5951b010b03b7020567d8152cdc",
    "Classical/16_http": "9d98710091551587f4740cfc851a6b064fff6319a337c2dc77ee6da4bcc2e02c",
    "Classical/18_Ionosphere": "bca46cb0cfd1bf9ddef6cde5ad2215d54fb0189508d0d4c4eb98e788cad69001",
    "Classical/1_ALOI": "792d0b5bd1147bfc9574a1974f157b39fbd4cbed8ecd04cf983fd554498ed477",
    "Classical/20_letter": "f986d3da80cf1fa2aea83a5ebe73b7d4800e0d4c01fdd1ae074b58d20f10d039",
    "Classical/22_magic.gamma": "0be375984d7af9ea7a63b12206c240840d8b7daa3607021c5fb8756407dd86f1",
    "Classical/24_mnist": "be7706272325fdd3592c1be555ae1a82f916a2f8545f4f8cbaa548ab102cc44c",
    "Classical/26_optdigits": "60de17a375a278ba220a7849727d998aa02b5e2f9fd17732a004bba28de4656e",
    "Classical/28_pendigits": "c4936b89dcdad59d303020e492f763a0f54170080d787c77497609acbb9c2d79",
    "Classical/30_satellite": "1f048f5686f1b8c16a227fdfa3c81a62cd9a92715714a6b24c69b1c5ad96b46e",
    "Classical/32_shuttle": "26900b0f6be45d9ddb7a402c9b2f956ceda42d23a8ca4cf4406b8bc1352823d1",
    "Classical/34_smtp": "d2569fc9bc12115419e3f5b37d19921e10e6c26e5ad1e61064cfb0fbc402dfdd",
    "Classical/37_Stamps": "99fe739447284f613fa54bf2dccdb51c5120175ce6260adec6dad77576c42509",
    "Classical/39_vertebral": "0816286f92b96fe6867664a41a031ac7228dcfbf1a5feefe50ca3883b2e9073d",
    "Classical/41_Waveform": "6c9d867337ad1a2f8372c1d27f4c032f0401237e2041b7c45f00de8d319ff30f",
    "Classical/43_WDBC": "78d4606a1ab516f5b60b00c196497f3bbd6bd5e4548fd04cf5f2475209b34b85",
    "Classical/45_wine": "d5ad8965d92cc57122fe1e6572bb301adbaf795b3e166d187ae00a704d8f6e20",
    "Classical/47_yeast": "bbb15c873d78a4f6a589f46d0f75814595e2282d2ae7ce7779c750f276c3770d",
    "Classical/4_breastw": "4f37ce07dbc25ddad8178fdc6d664ab46d2d0000ee28c2787c3c7ff3c03ef9f6",
    "Classical/6_cardio": "bc5009bde6930b4d298b594f31b34485a9a17210cff0e8fb00a8c3068b885a2d",
    "Classical/8_celeba": "1cadfdea14cd8d240eca715a70c09c88af8621d086a7478c63f602d97adef0b5",
    "MVTec_ResNet18/MVTec-AD_bottle": "9eb7a78f1f6ecfcd00391ea01fe06f998e3fb7b8e89a34c06d69786ee38a8059",
    "MVTec_ResNet18/MVTec-AD_capsule": "b5d97c3b3c08b0c25fdb3b0fd50e9b9fd24bd75b4e36956d47159e715d52470d",
    "MVTec_ResNet18/MVTec-AD_grid": "376fe5d7568fb3c1b9056a03aef6c0c350476a11b4f4579e6b7d8f8e5405f837",
    "MVTec_ResNet18/MVTec-AD_leather": "c4615f05409b0ae785a007889b4521cf3c3a43ce5b7ff7623f2255c121ef1e29",
    "MVTec_ResNet18/MVTec-AD_pill": "878407b2700e3414dec26f2bae153f28d9b8e9e2367a0775b082efe641531188",
    "MVTec_ResNet18/MVTec-AD_tile": "6d4564cd2844ff91274612b0dba39c3cfbabedf4535ec3573889bbd575075086",
    "MVTec_ResNet18/MVTec-AD_transistor": "4c045fa018a2f4ffd828683b1d35580533662b2336c356e7e579c04da899b98e",
    "MVTec_ResNet18/MVTec-AD_zipper": "d60591ab34dced348b32574c4c0ff680068bbf5017d06d2bc5f9b15521f38bb8",
}
# "wine" for Classical/45_wine; the folder of the images has another name at the source.
STEMS = {re.sub(r".*/(\d+_)?", "", stem): stem for stem in SHA256}
_FOLDERS = {"MVTec_ResNet18": "CV_by_ResNet18"}


def place_of(name: str) -> str:
    """Where a table lies under the data folder."""
    return f"adbench/{STEMS[name]}.npz"


def fetch_adbench(name: str, data_home: PathLike | None = None, download: bool = False) -> Dataset:
    """Return one of the tables of the ADBench benchmark (Han et al. 2022).

    Parameters
    ----------
    name : str
        For instance "wine", "cardio" or "MVTec-AD_grid".
    data_home : path, optional
        Folder that is searched first (then ROBUSTAE_DATA, then the user's cache), and for the download.
    download : bool
        Whether to get the file from GitHub if it is not there; its SHA-256 is checked.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        If there is no such table, it is not there (NotFound), or the download fails or differs.
    """
    one_of("name", name, STEMS)
    path = find(place_of(name), data_home)
    if path is None and not download:
        hint = f"put it at {place_of(name)} there, or call with download=True"
        raise NotFound(f"the table {name!r} is not under {where(data_home)}: {hint}.")
    with np.load(path or _download(name, data_home)) as stored:
        return Dataset(stored["X"], stored["y"].astype(int), None, f"ADBench: {name}")


def _download(name: str, data_home: PathLike | None) -> Path:
    folder, _, file = STEMS[name].partition("/")
    url = f"{_URL}{_FOLDERS.get(folder, folder)}/{file}.npz"
    data = _content(url)
    if hashlib.sha256(data).hexdigest() != SHA256[STEMS[name]]:
        raise InputError(f"{url} is not the file it was: its SHA-256 differs, and nothing was kept.")
    path = (cache() if data_home is None else Path(data_home).expanduser()) / place_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
    return path


def _content(url: str) -> bytes:
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=60) as answer:
            return answer.read()
    except OSError as error:
        raise InputError(f"cannot download {url}: {getattr(error, 'reason', error)}.") from error
