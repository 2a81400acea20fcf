using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using Certificate = Org.BouncyCastle.Tls.Certificate;
using HashAlgorithm = Org.BouncyCastle.Tls.HashAlgorithm;

namespace WebRtcIms.Turn.Transport.Dtls;

/// <summary>
/// The server's side of one DTLS 1.2 handshake (RFC 7350): the certificate that TLS has, ALPN <c>stun.turn</c>, suites with forward
/// secrecy and AEAD.
/// </summary>
internal sealed class DtlsIdentity(BcTlsCrypto crypto, SslStreamCertificateContext certificate, TimeSpan handshakeLimit)
    : DefaultTlsServer(crypto)
{
    private readonly BcTlsCrypto _crypto = crypto;

    /// <summary>A forged datagram must not end a session.</summary>
    public override bool IgnoreCorruptDtlsRecords => true;

    /// <summary>No client sends a longer one: the certificate is the server's alone.</summary>
    public override int GetMaxHandshakeMessageSize() => 4096;

    public override int GetHandshakeTimeoutMillis() => (int)handshakeLimit.TotalMilliseconds;

    protected override ProtocolVersion[] GetSupportedVersions() => ProtocolVersion.DTLSv12.Only();

    protected override int[] GetSupportedCipherSuites() => IsRsa
        ? [CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, CipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]
        : [CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384];

    protected override IList<ProtocolName> GetProtocolNames() => [ProtocolName.AsUtf8Encoding("stun.turn")];

    protected override TlsCredentialedSigner GetRsaSignerCredentials() => Credentials(SignatureAlgorithm.rsa);

    protected override TlsCredentialedSigner GetECDsaSignerCredentials() => Credentials(SignatureAlgorithm.ecdsa);

    private bool IsRsa => certificate.TargetCertificate.GetKeyAlgorithm() == "1.2.840.113549.1.1.1";

    private DefaultTlsCredentialedSigner Credentials(short algorithm)
    {
        IEnumerable<X509Certificate2> chain = [certificate.TargetCertificate, .. certificate.IntermediateCertificates];
        return new DefaultTlsCredentialedSigner(
            new TlsCryptoParameters(m_context),
            new Signer(certificate.TargetCertificate),
            new Certificate(
                [.. chain.Select(link => (Org.BouncyCastle.Tls.Crypto.TlsCertificate)new BcTlsCertificate(_crypto, link.RawData))]),
            SignatureAndHashAlgorithm.GetInstance(HashAlgorithm.sha256, algorithm));
    }

    /// <summary>Signs with the key as .NET has it: it need not be exportable, and is many times as fast.</summary>
    private sealed class Signer(X509Certificate2 certificate) : TlsSigner
    {
        public byte[] GenerateRawSignature(SignatureAndHashAlgorithm algorithm, byte[] hash)
        {
            using var rsa = certificate.GetRSAPrivateKey();
            if (rsa is not null) return rsa.SignHash(hash, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            using var ecdsa = certificate.GetECDsaPrivateKey();
            return ecdsa!.SignHash(hash, DSASignatureFormat.Rfc3279DerSequence);
        }

        public TlsStreamSigner? GetStreamSigner(SignatureAndHashAlgorithm algorithm) => null;
    }
}
