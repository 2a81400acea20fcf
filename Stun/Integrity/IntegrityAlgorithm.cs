namespace WebRtcIms.Stun.Integrity;

/// <summary>The hash under MESSAGE-INTEGRITY (SHA-1) and MESSAGE-INTEGRITY-SHA256.</summary>
public enum IntegrityAlgorithm
{
    Sha1,
    Sha256,
}
