namespace WebRtcIms.Networks.Tests;

/// <summary>The values of Turn:Transport that have code of their own.</summary>
internal static class BackEnds
{
    public static TheoryData<string> All { get; } = ["Epoll", "IoUring", "Portable"];
}
