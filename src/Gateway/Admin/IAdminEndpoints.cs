namespace FenceGateway.Gateway.Admin;

/// <summary>What a feature offers on the admin listener. The server collects all that are registered.</summary>
internal interface IAdminEndpoints
{
    void Map(IEndpointRouteBuilder endpoints);
}
