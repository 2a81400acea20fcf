using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// ASP.NET Core's activity source, shared by all hosts of a test process. By default each host creates a source and disposes it at its
/// end. A host that adds its listeners at that moment fails: <see cref="ActivitySource.AddActivityListener"/> throws
/// <see cref="NullReferenceException"/> for a source that is disposed meanwhile (.NET 10.0.12). A service has one host and is not affected.
/// </summary>
public static class HostActivitySource
{
    private static readonly ActivitySource Source = new("Microsoft.AspNetCore");

    /// <summary>Registers the shared source. A container does not dispose an instance that is registered with it.</summary>
    public static IServiceCollection ShareActivitySource(this IServiceCollection services) => services.AddSingleton(Source);
}
