namespace WebRtcIms.Wwsf.Ims;

/// <summary>Who a page is in the IMS.</summary>
/// <param name="Impi">Private user identity, such as <c>alice@webrtcims.local</c>.</param>
/// <param name="Impu">Public user identity, such as <c>sip:alice@webrtcims.local</c>: what others call.</param>
/// <param name="DisplayName">What others see.</param>
internal sealed record ImsIdentity(string Impi, string Impu, string DisplayName)
{
    /// <summary>May be a person's name.</summary>
    public override string ToString() => "***";
}
