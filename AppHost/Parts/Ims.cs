namespace WebRtcIms.AppHost;

/// <summary>Names in the IMS that several parts share.</summary>
internal static class Ims
{
    /// <summary>The home domain: subscribers are <c>sip:user@domain</c>.</summary>
    public const string Domain = "webrtcims.local";
}
