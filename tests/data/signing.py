"""Content credentials for pictures made in tests, under an authority that nobody knows."""

from __future__ import annotations

import datetime
import functools
import io

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


def sign(
    data: bytes, media_type: str = "image/jpeg", sources: tuple[str, ...] = (GENERATED,), remote: str = ""
) -> bytes:
    """Add credentials to a picture, or with `remote` only the address where they are said to lie."""
    names = ["c2pa.created", *["c2pa.edited"] * len(sources)]
    actions = [
        {"action": name, "digitalSourceType": source} for name, source in zip(names, sources, strict=False)
    ]
    manifest = {
        "claim_generator_info": [{"name": "Imaginarium", "version": "3"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }
    with c2pa.Signer.from_info(_signer_info()) as signer, c2pa.Builder(manifest) as builder:
        if remote:
            builder.set_no_embed()
            builder.set_remote_url(remote)
        signed = io.BytesIO()
        builder.sign(signer, media_type, io.BytesIO(data), signed)
        return signed.getvalue()


@functools.cache
def _signer_info() -> c2pa.C2paSignerInfo:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Authority", authority_key, "Authority", authority_key)
    key = ec.generate_private_key(ec.SECP256R1())
    chain = _certificate("Signer", key, "Authority", authority_key) + authority
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain, private_key=secret, ta_url=None)


def _certificate(name: str, key, issuer: str, issuer_key) -> bytes:
    """A certificate of the shape C2PA asks for, as PEM."""
    ca = name == issuer
    usage = {field: False for field in ("content_commitment", "key_encipherment", "data_encipherment")}
    usage |= {field: False for field in ("key_agreement", "encipher_only", "decipher_only")}
    usage |= {"digital_signature": not ca, "key_cert_sign": ca, "crl_sign": ca}
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2025, 1, 1))
        .not_valid_after(datetime.datetime(2045, 1, 1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if not ca:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Pictures Ltd"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
