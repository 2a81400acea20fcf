using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// ASP.NET Core's activity source, one for all hosts of a test process. Each host would make its own and dispose it at its end,
/// and a host that adds its listeners at that moment fails: <see cref="ActivitySource.AddActivityListener"/> throws
/// <see cref="NullReferenceException"/> for a source that is disposed meanwhile (.NET 10.0.12). A service has one host and never meets it.
/// </summary>
public static class HostActivitySource
{
    private static readonly ActivitySource Source = new("Microsoft.AspNetCore");

    /// <summary>Gives the host the common source; a container does not dispose what it was given.</summary>
    public static IServiceCollection ShareActivitySource(this IServiceCollection services) => services.AddSingleton(Source);
}
