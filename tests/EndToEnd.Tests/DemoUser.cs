namespace WebRtcIms.EndToEnd.Tests;

/// <summary>One of the two users that the WWSF seeds in Development; See Wwsf/README.md.</summary>
internal static class DemoUser
{
    public const string Name = "alice";
    public const string Password = "alice-calls-bob";
}
