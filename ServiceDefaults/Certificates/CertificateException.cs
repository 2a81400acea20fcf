namespace WebRtcIms.ServiceDefaults.Certificates;

/// <summary>A certificate cannot be used. The message names its setting, and has no secret.</summary>
public sealed class CertificateException(string message) : Exception(message);
